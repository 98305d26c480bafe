/** JSON of what queries give: bigints as numbers where they are exact, else as decimal strings. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_, item) =>
      typeof item === 'bigint'
        ? Number.isSafeInteger(Number(item))
          ? Number(item)
          : `${item}`
        : item,
    indent,
  );
}
