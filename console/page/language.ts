/**
 * Replaces a browser language that Intl rejects, such as `en-US@posix`. uPlot passes the language to Intl when it is loaded,
 * and the error would keep the page from starting.
 */
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en' });
}
