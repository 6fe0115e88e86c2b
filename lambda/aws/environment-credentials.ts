/**
 * In a bundle this stands in for the SDK's `credential-provider-node`: Lambda gives credentials in the environment. The
 * chain that looks everywhere else is a third of a receiver.
 */
export { fromEnv as defaultProvider } from '@aws-sdk/credential-provider-env';
