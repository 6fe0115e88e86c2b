/** Check: whether an alarm of the stack is on. */
import { type AlarmType, CloudWatchClient, paginateDescribeAlarms } from '@aws-sdk/client-cloudwatch';
import type { DoctorContext } from './context.ts';
import { type Check, fix, ok, skipped, type Verdict } from './verdict.ts';

/** Fails if an alarm of the stack is on, and shows what the alarm says. */
export function alarmCheck({ name, local }: DoctorContext): Check {
  return {
    name: 'alarms',
    look: async () => (local ? skipped('local mode has none') : alarmVerdict(name, new CloudWatchClient())),
  };
}

/** What follows the stack's name in a generated name: logical id and random letters, neither of which has a hyphen. */
const REST_OF_THE_NAME = /^[A-Za-z0-9]+-[A-Za-z0-9]+$/;

/** @param stackName other stacks whose names begin with it are left out */
export async function alarmVerdict(stackName: string, client: CloudWatchClient): Promise<Verdict> {
  const AlarmNamePrefix = `${stackName}-`;
  const AlarmTypes: AlarmType[] = ['MetricAlarm'];
  const alarms = [];
  for await (const { MetricAlarms = [] } of paginateDescribeAlarms({ client }, { AlarmNamePrefix, AlarmTypes })) {
    alarms.push(
      ...MetricAlarms.filter(({ AlarmName = '' }) => REST_OF_THE_NAME.test(AlarmName.slice(AlarmNamePrefix.length))),
    );
  }
  const ringing = alarms.filter(({ StateValue }) => StateValue === 'ALARM');
  if (ringing.length > 0) {
    return fix(ringing.map((alarm) => `${alarm.AlarmName}: ${alarm.AlarmDescription ?? 'no description'}`).join('; '));
  }
  return alarms.length === 0 ? skipped(`the stack ${stackName} has none`) : ok(`none of ${alarms.length} is on`);
}
