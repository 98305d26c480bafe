/** Eight-by-eight images, pixels 0 … 16 row by row, side by side as text. */
export function pictures(images: readonly ArrayLike<number>[]): string {
  const lines = Array.from({ length: SIDE }, (_, y) =>
    images
      .map((image) =>
        Array.from({ length: SIDE }, (_, x) => ink(image[y * SIDE + x] ?? 0)).join(''),
      )
      .join('    '),
  );
  return lines.map((line) => `     ${line.trimEnd()}`).join('\n');
}

const SIDE = 8;
const SHADES = ' .:-=+*#@';

/** Twice: a character is about half as wide as it is high. */
function ink(value: number): string {
  const shade = SHADES[Math.round((value / 16) * (SHADES.length - 1))] ?? ' ';
  return shade + shade;
}
