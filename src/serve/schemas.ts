import { z } from 'zod';

/** The greatest number of a version or adapter. */
export const MAX_INT = 2 ** 31 - 1;

const natural = (least: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/, 'expected a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= MAX_INT, `expected ${least} to ${MAX_INT}`);

/** A number in a path. */
export const versionNumber = natural(1);
export const adapterNumber = natural(0);
/** Of an entry of the audit log. */
export const entryIndex = natural(0);

/** Rows to a page, unless the client wants fewer. */
const PAGE = 1000;

/** The header of a page that is not the last. */
export const LINK = { link: 'The next page, `rel="next"`, if there is one.' };

/** The query of a list: `after` is where the page before ended. */
export const paging = <After extends z.ZodType>(after: After) =>
  z.strictObject({
    after,
    limit: z.coerce
      .number('expected a whole number')
      .int('expected a whole number')
      .min(1, 'expected 1 to 1000')
      .max(PAGE, 'expected 1 to 1000')
      .default(PAGE),
  });
