import * as z from 'zod';
import { RECEIPT_TYPE, receipt } from './receipt.js';
import { CERTIFICATE_TYPE, certificate } from './schema.js';

const FILES = { [CERTIFICATE_TYPE]: certificate, [RECEIPT_TYPE]: receipt };

/** JSON Schemas, 2020-12, of the files for subjects and auditors, by type. */
export const fileSchemas = (): Record<string, Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(FILES).map(([type, schema]) => {
      const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
      return [type, { $schema, $id: `urn:legonet:schema:${type}`, title: type, ...rest }];
    }),
  );
