/** Documented payloads. */
import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';

/** A fixture with whole payloads. The README of each folder names the sources. */
export function readFixture<Schema extends z.ZodMiniType>(path: string, schema: Schema): z.infer<Schema> {
  return schema.parse(JSON.parse(readFileSync(new URL(`../../fixtures/${path}`, import.meta.url), 'utf8')));
}

const eventsSchema = z.object({ events: z.array(z.record(z.string(), z.unknown())) });

/** Events of SendGrid, as parsed from JSON. */
export function sendGridEvents(name: string): Record<string, unknown>[] {
  return readFixture(`sendgrid/${name}.json`, eventsSchema).events;
}

const payloadsSchema = z.object({
  payloads: z.array(z.object({ name: z.string(), peer: z.string(), event: z.record(z.string(), z.unknown()) })),
});

/** Events from the test suite of another receiver, each with that receiver's expectation. */
export function peerPayloads(peer: string): z.infer<typeof payloadsSchema>['payloads'] {
  return readFixture(`peers/${peer}.json`, payloadsSchema).payloads;
}

const vectorSchema = z.object({
  publicKey: z.string(),
  signature: z.string(),
  timestamp: z.string(),
  body: z.string(),
});
export type SignatureVector = z.infer<typeof vectorSchema>;

/** A published signature, with the bytes that were signed. */
export function signatureVector(name: string): SignatureVector {
  return readFixture(`sendgrid/signed-${name}.json`, vectorSchema);
}

const postsSchema = z.array(
  z.object({
    event_type: z.string(),
    server_composition: z.string(),
    event: z.record(z.string(), z.array(z.record(z.string(), z.string()))),
  }),
);

/** The five posts that Customers Mail Cloud published. */
export function customersMailCloudPosts(): z.infer<typeof postsSchema> {
  return readFixture('customers-mail-cloud/deliveries-and-bounces.json', postsSchema);
}

const formSchema = z.object({ contentType: z.string(), body: z.string() });

/** The raw body of a form that Customers Mail Cloud posts. */
export function customersMailCloudForm(name: string): z.infer<typeof formSchema> {
  return readFixture(`customers-mail-cloud/form-${name}.json`, formSchema);
}
