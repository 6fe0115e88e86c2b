/** The values of `entry`, the sort key of SentLog. */

/** The entry of a log row. */
export const LOG_ROW_ENTRY = 'mail';
/** The prefix of the entries of events. */
export const EVENT_ENTRY_PREFIX = 'event#';
