/** Synthesizes the template. */
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { settingsFromContext } from '../../lib/settings.ts';
import { TodokeStack } from '../../lib/todoke-stack.ts';
import { temporaryFolder } from '../temporary.ts';

const templates = new Map<string, Template>();

/**
 * The stack's template as the app makes it with this context. To save seconds, it does not bundle the functions, and does
 * not check the template against CloudFormation's schemas (`validation.test.ts` does that).
 */
export function synthesized(context: Record<string, unknown> = {}): Template {
  const key = JSON.stringify(context);
  const template = templates.get(key) ?? synthesize(context);
  templates.set(key, template);
  return template;
}

function synthesize(context: Record<string, unknown>): Template {
  const app = new App({
    context: { ...context, 'aws:cdk:bundling-stacks': [] },
    outdir: temporaryFolder(),
    builtinCloudFormationValidation: false,
  });
  const settings = settingsFromContext(app.node);
  return Template.fromStack(new TodokeStack(app, settings.stackName, { settings }));
}

/** The resources of a type, by logical id. */
export function resources(
  template: Template,
  type: string,
): Record<string, { Properties: Record<string, unknown> } & Record<string, unknown>> {
  return template.findResources(type) as Record<string, { Properties: Record<string, unknown> }>;
}
