import { LegonetError } from '../errors.js';
import { sqlState } from '../store/database.js';

/** An error as the log has it. */
export type LoggedError = {
  readonly type: string;
  readonly message?: string;
  readonly code?: string;
  /** Where it was thrown, without the message. */
  readonly stack?: string;
  readonly cause?: LoggedError;
};

/** Classes of SQLSTATE whose messages speak of connections, rights and resources, never of values. */
const MESSAGE_SAYS_NO_VALUE = /^(08|25|28|3D|40|42501|53|55|57|58)/;
/** JavaScript's own errors that name what the program did, not what it was given. */
const OF_THE_PROGRAM = ['TypeError', 'RangeError', 'ReferenceError', 'AbortError'];
const DEPTH = 4;

/**
 * An error without personal data. Messages of ours name fields and never what they hold; PostgreSQL's
 * details, and its messages on data, quote them, and so do those of parsers.
 */
export function logError(error: unknown, depth = DEPTH): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    ...(saysNoValue(error) && { message: error.message }),
    ...(code !== undefined && { code }),
    ...(frames && frames.length > 0 && { stack: frames.join('\n') }),
    ...(error.cause !== undefined && depth > 1 && { cause: logError(error.cause, depth - 1) }),
  };
}

function saysNoValue(error: Error): boolean {
  if (error instanceof LegonetError) return true;
  const state = sqlState(error);
  // node-postgres gives network trouble no SQLSTATE, and Node's system errors have a syscall.
  if (state !== undefined) return MESSAGE_SAYS_NO_VALUE.test(state);
  return (
    OF_THE_PROGRAM.includes(error.name) || 'syscall' in error || /[Cc]onnection/.test(error.message)
  );
}
