/** The CDK app: validated settings in, one stack out. */
import { App } from 'aws-cdk-lib';
import { settingsFromContext } from '../lib/settings.ts';
import { TodokeStack } from '../lib/todoke-stack.ts';

const app = new App();
const settings = settingsFromContext(app.node);
new TodokeStack(app, settings.stackName, { settings });
