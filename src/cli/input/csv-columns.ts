import { LegonetError } from '../../errors.js';
import { LIMITS } from '../../model/configuration.js';
import { toNumber } from './number.js';

/** Which field of a record is what. */
export type Columns = {
  readonly count: number;
  readonly label: number | undefined;
  readonly sampleId: number | undefined;
  readonly subjectId: number | undefined;
  /** Of texts; there are no numbers then. */
  readonly text: number | undefined;
  readonly features: readonly number[];
};

type Role = 'label' | 'sampleId' | 'subjectId' | 'text';

const NAMES: ReadonlyMap<string, Role> = new Map([
  ['label', 'label'],
  ['class', 'label'],
  ['sampleid', 'sampleId'],
  ['sample_id', 'sampleId'],
  ['id', 'sampleId'],
  ['subjectid', 'subjectId'],
  ['subject_id', 'subjectId'],
  ['text', 'text'],
] as const);

/** Missing and non-finite numbers as programs write them: bad data, not the name of a column. */
const NO_NUMBER = /^\s*(|[+-]?(nan|inf|infinity)|na|n\/a|null|none)\s*$/i;

type ColumnOptions = {
  /** Named in errors. */
  readonly name: string;
  readonly unlabelled: boolean;
  readonly texts: boolean;
};

/**
 * What the columns of a file are, from its first record; `header` says whether that holds names.
 * Throws `input_malformed` when it can be neither names nor data, `labels_missing`.
 */
export function readColumns(
  record: readonly string[],
  { name, unlabelled, texts }: ColumnOptions,
): { readonly header: boolean; readonly columns: Columns } {
  const roles = record.map((field) => roleOf(field, texts));
  const named = roles.some((role) => role !== undefined);
  const features = record
    .map((_, index) => index)
    .filter((i) => (named ? !roles[i] : unlabelled || i < record.length - 1));
  const names = features.filter((i) => isName(record[i] ?? ''));
  const columns = { count: record.length, ...positions(roles, name), features };
  if (columns.text === undefined) checkFeatures(features, name);
  else if (features.length > 0) {
    throw malformed(name, 'columns besides the text, its label and ids: leave them out');
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

function positions(roles: readonly (string | undefined)[], name: string): Pick<Columns, Role> {
  const find = (role: string) => {
    const at = roles.indexOf(role);
    if (at === roles.lastIndexOf(role)) return at < 0 ? undefined : at;
    throw malformed(name, `two columns are named as ${role}`);
  };
  const ids = { sampleId: find('sampleId'), subjectId: find('subjectId') };
  return { label: find('label'), ...ids, text: find('text') };
}

function roleOf(field: string, texts: boolean): Role | undefined {
  const role = NAMES.get(field.trim().toLowerCase());
  return role === 'text' && !texts ? undefined : role;
}

function checkFeatures({ length }: readonly number[], name: string): void {
  if (length >= 1 && length <= LIMITS.dimension) return;
  throw malformed(name, `${length} columns of numbers, not 1 to ${LIMITS.dimension}`);
}

function isName(field: string): boolean {
  return Number.isNaN(toNumber(field)) && !NO_NUMBER.test(field);
}

function malformed(name: string, reason: string): LegonetError {
  return new LegonetError('input_malformed', `${name}: ${reason}`);
}
