/** SDK clients for the engine. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';

/** The AWS SDK's switch for its warning about Node's version, which no user of Todoke can act on. */
export const SDK_WARNING_OFF = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' };

interface DynamoDbClients {
  readonly tables: DynamoDBClient;
  readonly streams: DynamoDBStreamsClient;
  close(): void;
}

/** The access key id of local mode itself. DynamoDB Local accepts only letters and digits. */
export const LOCAL_MODE_KEY_ID = 'localmode';

/** Local mode's own clients for the engine. */
export function dynamoDbClients(endpoint: string, region: string, accessKeyId = LOCAL_MODE_KEY_ID): DynamoDbClients {
  Object.assign(process.env, SDK_WARNING_OFF);
  const config = { endpoint, region, credentials: { accessKeyId, secretAccessKey: 'local' } };
  const tables = new DynamoDBClient(config);
  const streams = new DynamoDBStreamsClient(config);
  return {
    tables,
    streams,
    close() {
      tables.destroy();
      streams.destroy();
    },
  };
}
