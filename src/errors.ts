/** What a failure means for the caller: give up on this input, try again, or halt and tell an operator. */
export type Retry = 'terminal' | 'retryable' | 'stop';

/** Every error Legonet raises on purpose. `code` is stable and may be matched on; `message` may change. */
export class LegonetError extends Error {
  override readonly name = 'LegonetError';
  constructor(
    readonly code: string,
    message: string,
    readonly retry: Retry = 'terminal',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
