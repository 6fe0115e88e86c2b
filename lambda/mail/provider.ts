/** The providers, by their names in rows and Mail items. A `Record<Provider, …>` that lacks one does not compile. */
export const PROVIDERS = ['sendgrid', 'customers-mail-cloud'] as const;
export type Provider = (typeof PROVIDERS)[number];

const DEFAULT_PROVIDER: Provider = 'sendgrid';

/**
 * The provider that an item or a row names. Spaces around the name are ignored. An empty name (missing, `""`, NULL)
 * means the default provider.
 *
 * @returns undefined if there is no provider of that name
 */
export function readProvider(name: unknown): Provider | undefined {
  const trimmed = typeof name === 'string' ? name.trim() : name;
  if (trimmed === undefined || trimmed === null || trimmed === '') return DEFAULT_PROVIDER;
  return PROVIDERS.find((provider) => provider === trimmed);
}

/** The provider that a row names; the default provider if there is none of that name. */
export function providerOf(row: Readonly<Record<string, unknown>>): Provider {
  return readProvider(row['provider']) ?? DEFAULT_PROVIDER;
}

/** Calls `make` for each provider. */
export function ofEachProvider<Made>(make: (provider: Provider) => Made): Record<Provider, Made> {
  return { sendgrid: make('sendgrid'), 'customers-mail-cloud': make('customers-mail-cloud') };
}
