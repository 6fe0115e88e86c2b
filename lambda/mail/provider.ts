/** The providers, by the names that rows and Mail items carry. The compiler holds every record of them to this list. */
export const PROVIDERS = ['sendgrid', 'customers-mail-cloud'] as const;
export type Provider = (typeof PROVIDERS)[number];

const DEFAULT_PROVIDER: Provider = 'sendgrid';

/**
 * The provider that an item or a row names. Spaces around the name do not count, and no name (nothing, `""`, NULL) is
 * the default's.
 *
 * @returns undefined for what is no provider's name
 */
export function readProvider(name: unknown): Provider | undefined {
  const trimmed = typeof name === 'string' ? name.trim() : name;
  if (trimmed === undefined || trimmed === null || trimmed === '') return DEFAULT_PROVIDER;
  return PROVIDERS.find((provider) => provider === trimmed);
}

/** The provider that a row names; the default's for what is no name of one. */
export function providerOf(row: Readonly<Record<string, unknown>>): Provider {
  return readProvider(row['provider']) ?? DEFAULT_PROVIDER;
}

/** A record of what `make` gives for each of them. */
export function ofEachProvider<Made>(make: (provider: Provider) => Made): Record<Provider, Made> {
  return { sendgrid: make('sendgrid'), 'customers-mail-cloud': make('customers-mail-cloud') };
}
