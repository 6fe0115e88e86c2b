/** The CDK app: validated settings in, one stack out. */
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { SettingsError, settingsFromContext } from '../lib/settings.ts';
import { TodokeStack } from '../lib/todoke-stack.ts';

const app = new App();
// Each finding ends the synthesis, except those that lib/acknowledge.ts accepts.
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
try {
  const settings = settingsFromContext(app.node);
  new TodokeStack(app, settings.stackName, { settings });
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  console.error(error.message);
  process.exit(1);
}
