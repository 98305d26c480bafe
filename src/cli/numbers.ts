import { LegonetError } from '../errors.js';

/** A whole number from the command line. Throws `wrong_usage`. */
export function wholeNumber(text: string, name: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new LegonetError('wrong_usage', `${name}: expected a whole number, not "${text}"`);
}
