import { LegonetError, type Retry } from './errors.js';

/** What came of a call to a worker thread. */
export type Outcome<T> = { readonly value: T } | { readonly failure: Failure };

/** An error as plain data: a structured clone of one keeps its message, and loses code and class. */
type Failure = {
  readonly message: string;
  readonly code: string | undefined;
  /** Of a LegonetError. */
  readonly retry: Retry | undefined;
  readonly stack: string | undefined;
};

/** Runs `work` in the thread. */
export async function settle<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
    const retry = error instanceof LegonetError ? error.retry : undefined;
    return { failure: { message: error.message, code, retry, stack: error.stack } };
  }
}

/** Its value, or its error thrown, on the other side. */
export function unwrap<T>(outcome: Outcome<T>): T {
  if ('value' in outcome) return outcome.value;
  const { message, code, retry, stack } = outcome.failure;
  const error =
    code !== undefined && retry !== undefined
      ? new LegonetError(code, message, retry)
      : Object.assign(new Error(message), code !== undefined && { code });
  if (stack !== undefined) error.stack = stack;
  throw error;
}
