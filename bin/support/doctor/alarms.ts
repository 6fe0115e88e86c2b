import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import type { Patient } from './patient.ts';
import { type Check, mend, ok, skipped, type Verdict } from './verdict.ts';

export function alarmCheck({ name, local }: Patient): Check {
  return {
    name: 'alarms',
    look: async () => (local ? skipped('local mode has none') : alarmVerdict(name, new CloudWatchClient())),
  };
}

/** @param stackName the first part of the names of all alarms of the stack */
export async function alarmVerdict(stackName: string, client: CloudWatchClient): Promise<Verdict> {
  const AlarmNamePrefix = `${stackName}-`;
  const { MetricAlarms = [], CompositeAlarms = [] } = await client.send(
    new DescribeAlarmsCommand({ AlarmNamePrefix, AlarmTypes: ['MetricAlarm', 'CompositeAlarm'], MaxRecords: 100 }),
  );
  const alarms = [...MetricAlarms, ...CompositeAlarms];
  const ringing = alarms.filter(({ StateValue }) => StateValue === 'ALARM');
  if (ringing.length > 0) {
    return mend(ringing.map((alarm) => `${alarm.AlarmName}: ${alarm.AlarmDescription ?? 'no description'}`).join('; '));
  }
  return alarms.length === 0
    ? skipped(`there is none whose name begins with ${AlarmNamePrefix}`)
    : ok(`${alarms.length}, all quiet`);
}
