/** The figures of the version whose receivers recorded each post themselves, by the name of today's figure. */
export const BEFORE: Readonly<Record<string, string>> = {};
