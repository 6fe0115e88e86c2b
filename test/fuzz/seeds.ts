/** The payloads from which fuzzing starts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const fixtures = join(import.meta.dirname, '../fixtures');

/** Every object in a folder of fixtures for which `isSeed` is true, at any depth. */
function seedsIn(folder: string, isSeed: (value: object) => boolean): object[] {
  const found: object[] = [];
  const visit = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    if (!Array.isArray(value) && isSeed(value)) found.push(value);
    else Object.values(value).forEach(visit);
  };
  for (const file of readdirSync(join(fixtures, folder)).filter((name) => name.endsWith('.json'))) {
    visit(JSON.parse(readFileSync(join(fixtures, folder, file), 'utf8')));
  }
  if (found.length === 0) throw new Error(`Cannot fuzz: test/fixtures/${folder} holds no payload`);
  return found;
}

/** Documented events of SendGrid. */
export const sendGridSeeds = seedsIn('sendgrid', (value) => 'event' in value && 'timestamp' in value);

/** Documented posts of Customers Mail Cloud. */
export const customersMailCloudSeeds = seedsIn('customers-mail-cloud', (value) => 'event_type' in value);
