import { LegonetError } from '../../errors.js';

type KafkaError = Error & { readonly type?: string; readonly cause?: unknown };

/** What kafkajs says in its log when it puts a consumer somewhere else. */
export const OUT_OF_RANGE = 'Offset out of range';

/** The error and what caused it, innermost last. */
function chain(error: unknown): KafkaError[] {
  const found: KafkaError[] = [];
  for (let at = error; at instanceof Error && !found.includes(at); at = at.cause) found.push(at);
  // What kafkajs throws for several requests at once.
  const several = found.flatMap((one) => ('errors' in one ? (one.errors as KafkaError[]) : []));
  return [...found, ...several];
}

/** Kafka's own name of an error, such as TOPIC_AUTHORIZATION_FAILED. */
export const errorType = (error: unknown): string | undefined =>
  chain(error)
    .map(({ type }) => type)
    .find((type) => type !== undefined);

export function isDenied(error: unknown): boolean {
  return chain(error).some(
    ({ name, type = '' }) =>
      name === 'KafkaJSSASLAuthenticationError' || /_AUTHORIZATION_FAILED$/.test(type),
  );
}

const message = (error: unknown): string => chain(error).at(-1)?.message ?? String(error);

/** What an error of kafkajs means to us; `doing` says in the message what was tried. */
export function toLogError(error: unknown, doing: string): unknown {
  if (error instanceof LegonetError || !(error instanceof Error)) return error;
  const names = chain(error).map(({ name }) => name);
  // Ours, and not of the network: a mistake in the program is not to be hidden.
  if (!names.some((name) => name.startsWith('KafkaJS')) && !('code' in error)) return error;
  if (isDenied(error)) {
    return new LegonetError(
      'log_denied',
      `Kafka does not let us ${doing} (${message(error)}): check KAFKA_SASL_* and the access rules`,
      'terminal',
      { cause: error },
    );
  }
  if (names.includes('KafkaJSNotImplemented')) {
    return new LegonetError(
      'log_unreadable',
      `cannot ${doing} (${message(error)}): records are there from before the topic had ` +
        'compression.type=uncompressed; copy them to a new topic that has it',
      'stop',
      { cause: error },
    );
  }
  if (errorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') {
    return new LegonetError(
      'topic_missing',
      `cannot ${doing}, for the topic is not there: restore it, or restart to make an empty one`,
      'stop',
      { cause: error },
    );
  }
  if (errorType(error) === 'MESSAGE_TOO_LARGE') {
    return new LegonetError(
      'record_too_large',
      `Kafka takes no record of that size (${message(error)}): raise max.message.bytes of the topic`,
      'terminal',
      { cause: error },
    );
  }
  if (errorType(error) === 'INVALID_SESSION_TIMEOUT') {
    return new LegonetError(
      'session_timeout_refused',
      `Kafka does not let us ${doing} (${message(error)}): set KAFKA_SESSION_TIMEOUT_MS between the ` +
        "brokers' group.min.session.timeout.ms and group.max.session.timeout.ms, 6000 and 1800000 unless set",
      'stop',
      { cause: error },
    );
  }
  return new LegonetError(
    'log_unreachable',
    `cannot ${doing} (${message(error)}): are the brokers of KAFKA_BROKERS running, and is TLS right?`,
    'retryable',
    { cause: error },
  );
}
