import { LegonetError } from '../../errors.js';
import { LIMITS } from '../../model/configuration.js';
import { toNumber } from './number.js';

/** Which field of a record is what. */
export type Columns = {
  readonly count: number;
  readonly label: number | undefined;
  readonly sampleId: number | undefined;
  readonly subjectId: number | undefined;
  readonly features: readonly number[];
};

const NAMES: ReadonlyMap<string, 'label' | 'sampleId' | 'subjectId'> = new Map([
  ['label', 'label'],
  ['class', 'label'],
  ['sampleid', 'sampleId'],
  ['sample_id', 'sampleId'],
  ['id', 'sampleId'],
  ['subjectid', 'subjectId'],
  ['subject_id', 'subjectId'],
] as const);

/** Missing and non-finite numbers as programs write them: bad data, not the name of a column. */
const NO_NUMBER = /^\s*(|[+-]?(nan|inf|infinity)|na|n\/a|null|none)\s*$/i;

/**
 * What the columns of a file are, from its first record; `header` says whether that holds names.
 * Throws `input_malformed` when it can be neither names nor data, `labels_missing`.
 */
export function readColumns(
  record: readonly string[],
  { name, unlabelled }: { readonly name: string; readonly unlabelled: boolean },
): { readonly header: boolean; readonly columns: Columns } {
  const roles = record.map((field) => NAMES.get(field.trim().toLowerCase()));
  const named = roles.some((role) => role !== undefined);
  const features = record
    .map((_, index) => index)
    .filter((i) => (named ? !roles[i] : unlabelled || i < record.length - 1));
  const names = features.filter((i) => isName(record[i] ?? ''));
  const columns = { count: record.length, ...positions(roles, name), features };
  if (features.length === 0 || features.length > LIMITS.dimension) {
    throw malformed(name, `${features.length} columns of numbers, not 1 to ${LIMITS.dimension}`);
  }
  if (!named && names.length === 0) {
    return {
      header: false,
      columns: unlabelled ? columns : { ...columns, label: record.length - 1 },
    };
  }
  if (features.some((i) => record[i]?.trim() === '')) {
    throw malformed(name, 'a column has no name: name it, or leave it out if it is an index');
  }
  // With a few odd fields among the names, or among numbers, a guess could lose a sample.
  if (names.length > 0 && names.length < features.length) {
    throw malformed(name, 'the first row mixes names and numbers: name every column, or none');
  }
  if (columns.label === undefined && !unlabelled) {
    throw new LegonetError('labels_missing', `${name}: no column is named label or class`);
  }
  return { header: true, columns };
}

function positions(
  roles: readonly (string | undefined)[],
  name: string,
): Pick<Columns, 'label' | 'sampleId' | 'subjectId'> {
  const find = (role: string) => {
    const at = roles.indexOf(role);
    if (at === roles.lastIndexOf(role)) return at < 0 ? undefined : at;
    throw malformed(name, `two columns are named as ${role}`);
  };
  return { label: find('label'), sampleId: find('sampleId'), subjectId: find('subjectId') };
}

function isName(field: string): boolean {
  return Number.isNaN(toNumber(field)) && !NO_NUMBER.test(field);
}

function malformed(name: string, reason: string): LegonetError {
  return new LegonetError('input_malformed', `${name}: ${reason}`);
}
