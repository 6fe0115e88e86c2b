/**
 * Replaces the SDK's `credential-provider-node` in the bundles. Lambda gives credentials in the environment. The SDK's
 * chain of other credential sources would be a third of a receiver's bundle.
 */
export { fromEnv as defaultProvider } from '@aws-sdk/credential-provider-env';
