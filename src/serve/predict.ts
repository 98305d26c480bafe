import { z } from 'zod';
import { LegonetError } from '../errors.js';
import type { Encoding } from '../events/event.js';
import { encoding } from '../events/schemas.js';
import type { Model } from '../model/model.js';
import type { Prediction } from '../model/predict.js';
import { checkInt8, quantise } from '../model/quantise.js';
import { json } from './answer.js';
import * as answers from './answers.js';
import { BODY_BYTES } from './body.js';
import { HttpError } from './problem.js';
import { type Route, route } from './route.js';

/** Encodings of a request, and bytes of an answer: with very many classes, it has fewer. */
const ENCODINGS = 1000;
const ANSWER_BYTES = 8 * 1024 * 1024;
/** Of a number in JSON, with what stands around it. */
const NUMBER_BYTES = 24;

const wanted = z
  .strictObject({ encodings: z.array(encoding).min(1).max(ENCODINGS) })
  .meta({ id: 'Encodings' });

/** Labels and scores by the version in service. */
export const predictRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/predict',
    summary: 'Predict encodings by the version in service',
    scopes: ['predict'],
    body: { limit: BODY_BYTES, json: wanted },
    answers: {
      200: {
        description: 'All by one version, which it names.',
        content: { 'application/json': answers.predicted },
      },
    },
    problems: {
      400: 'wrong_dimension, not_finite, negative_value',
      404: 'no_version',
      413: 'too_many_encodings',
      503: 'version_retired',
    },
    handle: async ({ body: { encodings } }, { model, predictor }) => {
      const most = limitOf(model);
      if (encodings.length > most) {
        const message = `encodings: expected at most ${most} at a time with this model`;
        throw new HttpError('too_many_encodings', 413, message);
      }
      const rows = toRows(model, encodings);
      const { version, modelDigest, predictions } = await predictor.predict(rows, encodings.length);
      const { classes } = model.configuration;
      return json({
        version,
        modelDigest,
        predictions: predictions.map((one) => report(classes, one)),
      });
    },
  }),
];

function limitOf({ configuration: { classes } }: Model): number {
  const names = classes.reduce((sum, name) => sum + Buffer.byteLength(name) + NUMBER_BYTES, 0);
  return Math.max(1, Math.min(ENCODINGS, Math.floor(ANSWER_BYTES / names)));
}

/** Int8 [encodings, dimension]. Throws `wrong_dimension`, `not_finite`, `negative_value`, as 400. */
function toRows({ quantiser, shape }: Model, encodings: readonly Encoding[]): Int8Array {
  const rows = new Int8Array(encodings.length * shape.dimension);
  encodings.forEach((one, index) => {
    try {
      const row =
        one.form === 'int8' ? checkInt8(quantiser, one.values) : quantise(quantiser, one.values);
      rows.set(row, index * shape.dimension);
    } catch (error) {
      if (!(error instanceof LegonetError)) throw error;
      throw new HttpError(error.code, 400, `encodings.${index}: ${error.message}`);
    }
  });
  return rows;
}

function report(classes: readonly string[], { label, scores, adapters }: Prediction) {
  return {
    label,
    scores: Object.fromEntries(classes.map((name, c) => [name, scores[c] ?? 0])),
    adapters,
  };
}
