/**
 * The browser's language as one that Intl takes. uPlot asks for it when it is loaded, and where it is none, as `en-US@posix`,
 * nothing of the page would be.
 */
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en' });
}
