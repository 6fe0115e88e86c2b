/** The entries of a mail's story, as SentLog's sort key names them. */

/** The log row: it says that the mail was sent. */
export const LOG_ROW_ENTRY = 'mail';
/** How the entry of every event begins. */
export const EVENT_ENTRY_PREFIX = 'event#';
