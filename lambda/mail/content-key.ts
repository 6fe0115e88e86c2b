/** Makes keys from content. */
import { hash } from 'node:crypto';
import { canonicalJson } from './json.ts';

/** A key for an event without an id. Equal events get equal keys. */
export function keyOfContent(event: unknown): string {
  return `sha256:${sha256(canonicalJson(event))}`;
}

/** The first 32 hex digits of a text's SHA-256. */
export function sha256(text: string): string {
  return hash('sha256', text).slice(0, 32);
}
