/** No id or label is longer; what is longer is a mistake in the file. */
const TEXT_LENGTH = 1024;

// U+FFFD is what a byte that is not UTF-8 becomes: two ids that differ there would be one.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNFIT = /[\u0000-\u001f\u007f\ufffd]/;

/** Why a text cannot be an id or a label; undefined if it can. */
export function textProblem(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.length > TEXT_LENGTH) return `is longer than ${TEXT_LENGTH} characters`;
  if (UNFIT.test(text)) return 'has a control character or line break, or is not UTF-8';
  return undefined;
}
