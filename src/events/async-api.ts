import { EVENT_CONTENT_TYPE } from './cloud-event.js';
import { eventSchema } from './json-schema.js';
import { OWN_HEADER } from './own-records.js';
import { RECORD_TIME_HEADER } from './record.js';
import { EVENT_TYPES, type EventType } from './schemas.js';

type Json = Readonly<Record<string, unknown>>;

const SAMPLE_EVENTS = [
  'legonet.sample.ingested.v1',
  'legonet.sample.corrected.v1',
  'legonet.sample.deleted.v1',
  'legonet.subject.erased.v1',
] as const satisfies readonly EventType[];
const VERSIONS = [
  'legonet.model.version.published.v1',
  'legonet.model.version.retired.v1',
] as const satisfies readonly EventType[];
const REJECTED = 'legonet.record.rejected.v1' satisfies EventType;
const NULL_VALUE = 'null-value';

const KEYS: Readonly<Record<EventType, string>> = {
  'legonet.sample.ingested.v1': 'The sample’s id; under another key it is rejected.',
  'legonet.sample.corrected.v1': 'The sample’s id; under another key it is rejected.',
  'legonet.sample.deleted.v1': 'The sample’s id.',
  'legonet.subject.erased.v1': '“subject:” and the subject’s id.',
  'legonet.model.version.published.v1': 'The model’s name, a colon and the version.',
  'legonet.model.version.retired.v1': 'The model’s name, a colon and the version.',
  'legonet.record.rejected.v1': 'The key of the record that was rejected, where it had one.',
};

/** AsyncAPI 3.0 document of the topics and their events. */
export function asyncApi(version: string): Json {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Legonet',
      version,
      description:
        'CloudEvents 1.0 in Kafka. Samples come in and go out by events; model versions are announced. ' +
        'Operations are named as Legonet sees them: what it receives, others send.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
      tags: [{ name: 'machine-unlearning' }, { name: 'cloudevents' }],
    },
    id: 'urn:legonet:events',
    defaultContentType: 'application/cloudevents+json',
    servers: {
      kafka: {
        host: '{broker}',
        protocol: 'kafka',
        description: 'The brokers of KAFKA_BROKERS; TLS and SASL as their operator demands.',
        variables: { broker: { default: 'localhost:9092' } },
      },
    },
    channels: channels(),
    operations: operations(),
    components: { schemas: schemas(), messages: messages() },
  };
}

const structured = (type: EventType): string => `${type}.structured`;
const binary = (type: EventType): string => `${type}.binary`;

function channels(): Json {
  const sampleMessages = [...SAMPLE_EVENTS.flatMap((type) => [structured(type), binary(type)])];
  return {
    sampleEvents: channel(
      'sample-events',
      'What becomes of samples. The erasure deadline sets the compaction lags.',
      [...sampleMessages, NULL_VALUE],
      {
        'cleanup.policy': ['compact'],
        'message.timestamp.type': 'LogAppendTime',
        'compression.type': 'uncompressed',
      },
    ),
    modelVersions: channel(
      'model-versions',
      'Versions that came into service or left it; each event at least once, told by its id.',
      VERSIONS.map(structured),
      { 'cleanup.policy': ['delete'], 'retention.ms': -1, 'retention.bytes': -1 },
    ),
    deadLetters: channel(
      'dead-letters',
      'Records that could not be applied: why, and where they are. Never what they held.',
      [structured(REJECTED)],
      { 'cleanup.policy': ['delete'] },
    ),
  };
}

function channel(
  topic: string,
  description: string,
  names: readonly string[],
  topicConfiguration: Json,
): Json {
  return {
    address: `{prefix}${topic}`,
    description,
    servers: [{ $ref: '#/servers/kafka' }],
    parameters: { prefix: { default: 'legonet.', description: 'The setting KAFKA_TOPIC_PREFIX.' } },
    messages: Object.fromEntries(
      names.map((name) => [name, { $ref: `#/components/messages/${name}` }]),
    ),
    bindings: { kafka: { topicConfiguration, bindingVersion: '0.5.0' } },
  };
}

function operations(): Json {
  const own = SAMPLE_EVENTS.map(structured);
  return {
    receiveSampleEvents: operation('receive', 'sampleEvents', 'Applies samples and deletions.', {
      bindings: {
        kafka: {
          groupId: { type: 'string', description: 'KAFKA_GROUP_ID, a hyphen and “legonet”.' },
          bindingVersion: '0.5.0',
        },
      },
    }),
    sendOwnSampleEvents: operation(
      'send',
      'sampleEvents',
      `Writes for compaction that a sample is deleted, and again what is in force; marked by the header ${OWN_HEADER}.`,
      { messages: own.map((name) => ({ $ref: `#/channels/sampleEvents/messages/${name}` })) },
    ),
    sendModelVersions: operation('send', 'modelVersions', 'Announces and retires versions.'),
    sendDeadLetters: operation('send', 'deadLetters', 'Tells what could not be applied.'),
  };
}

const operation = (action: string, on: string, summary: string, more: Json = {}): Json => ({
  action,
  channel: { $ref: `#/channels/${on}` },
  summary,
  ...more,
});

function schemas(): Json {
  return Object.fromEntries(
    (Object.keys(EVENT_TYPES) as EventType[]).map((type) => {
      const { $schema, $id, ...schema } = eventSchema(type, 'draft-07');
      return [type, schema];
    }),
  );
}

function messages(): Json {
  const types = Object.keys(EVENT_TYPES) as EventType[];
  return Object.fromEntries([
    ...types.map((type) => [structured(type), structuredMessage(type)]),
    // What Legonet sends is in structured mode; it reads both.
    ...SAMPLE_EVENTS.map((type) => [binary(type), binaryMessage(type)]),
    [NULL_VALUE, nullValue()],
  ]);
}

const text = (description: string): Json => ({ type: 'string', description });

const keyed = (description: string): Json => ({
  kafka: { key: text(description), bindingVersion: '0.5.0' },
});

const common = {
  [RECORD_TIME_HEADER]: text('Of a record sent again: its first time, in microseconds since 1970.'),
};

function structuredMessage(type: EventType): Json {
  return {
    name: type,
    title: `${type}, structured mode`,
    summary: eventSchema(type).description,
    contentType: 'application/cloudevents+json',
    headers: {
      type: 'object',
      properties: {
        'content-type': { ...text('May be left out.'), examples: [EVENT_CONTENT_TYPE] },
        ...common,
      },
    },
    payload: { $ref: `#/components/schemas/${type}` },
    bindings: keyed(KEYS[type]),
  };
}

function binaryMessage(type: EventType): Json {
  const property = (name: string) => ({ $ref: `#/components/schemas/${type}/properties/${name}` });
  return {
    name: type,
    title: `${type}, binary mode`,
    summary: eventSchema(type).description,
    contentType: 'application/json',
    headers: {
      type: 'object',
      required: ['ce_specversion', 'ce_id', 'ce_source', 'ce_type'],
      properties: {
        'content-type': text('A JSON media type; JSON if left out.'),
        ce_specversion: property('specversion'),
        ce_id: property('id'),
        ce_source: property('source'),
        ce_type: property('type'),
        ce_time: property('time'),
        ...common,
      },
    },
    payload: property('data'),
    bindings: keyed(KEYS[type]),
  };
}

const nullValue = (): Json => ({
  name: NULL_VALUE,
  title: 'A null value',
  summary: 'Deletes what is under its key, as Kafka’s users expect.',
  contentType: 'application/octet-stream',
  payload: { type: 'null' },
  bindings: keyed('A sample’s id, or “subject:” and a subject’s id.'),
});
