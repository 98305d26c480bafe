import type { z } from 'zod';
import { EventError, type EventErrorCode } from './error.js';

/**
 * The first thing that zod found wrong, as an event error. `otherwise` is the code of what does not
 * bring its own. Neither zod's messages nor ours repeat the value.
 */
export function issueError(
  error: z.ZodError,
  prefix: string,
  otherwise: EventErrorCode,
): EventError {
  const [issue] = error.issues;
  const params = issue?.code === 'custom' ? issue.params : undefined;
  const code = (params?.code as EventErrorCode | undefined) ?? otherwise;
  const path = `${prefix}${issue?.path.join('.') ?? ''}`.replace(/\.$/, '');
  return new EventError(code, `${path}: ${issue?.message ?? 'not valid'}`);
}
