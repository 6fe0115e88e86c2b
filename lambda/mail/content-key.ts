/** Keys that are derived from content. */
import { hash } from 'node:crypto';
import { canonicalJson } from './json.ts';

/** The key of an event that carries none: the same event has the same key whenever it comes. */
export function keyOfContent(event: unknown): string {
  return `sha256:${sha256(canonicalJson(event))}`;
}

/** The first 32 hex digits of a text's SHA-256. */
export function sha256(text: string): string {
  return hash('sha256', text).slice(0, 32);
}
