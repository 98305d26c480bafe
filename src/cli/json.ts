import { LegonetError } from '../errors.js';

/** JSON.parse for a file that someone wrote. Throws `code`, with line and column. */
export function parseJson(text: string, name: string, code: string): unknown {
  const json = text.replace(/^\ufeff/, '');
  try {
    return JSON.parse(json);
  } catch {
    const before = json.slice(0, errorPosition(json)).split('\n');
    const where = `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`;
    throw new LegonetError(code, `${name}: not valid JSON at ${where}`);
  }
}

/** Where JSON.parse stops. Its message has the position only for some errors. */
function errorPosition(json: string): number {
  const position = /at position (\d+)/.exec(messageOf(json))?.[1];
  if (position !== undefined) return Number(position);
  if (!isUnexpectedToken(json)) return json.length;
  // The shortest beginning that has the unexpected token ends with it.
  let good = 0;
  let bad = json.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isUnexpectedToken(json.slice(0, middle))) bad = middle;
    else good = middle;
  }
  return bad - 1;
}

const isUnexpectedToken = (json: string): boolean =>
  messageOf(json).startsWith('Unexpected token') && !/at position/.test(messageOf(json));

function messageOf(json: string): string {
  try {
    JSON.parse(json);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}
