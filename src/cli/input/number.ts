const DECIMAL = /^\s*[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?\s*$/i;

const PLUS = 0x2b;
const ZERO = 0x30;
const NINE = 0x39;

/** The number that a decimal text says, else NaN: `Number` alone takes '', ' ' and '0x10' as well. */
export function toNumber(text: string): number {
  const first = text.charCodeAt(0);
  // From '+' to '9' only a prefix such as 0x needs a second look; this is the usual and fast case.
  const usual = first >= PLUS && first <= NINE;
  if (usual && !(first === ZERO && text.charCodeAt(1) > NINE)) return Number(text);
  return DECIMAL.test(text) ? Number(text) : Number.NaN;
}
