import { z } from 'zod';
import { LegonetError } from '../errors.js';
import type { Encoding } from '../events/event.js';
import { encoding, input } from '../events/schemas.js';
import { encodeInputs, orError } from '../model/encoder.js';
import type { Model } from '../model/model.js';
import type { Prediction } from '../model/predict.js';
import { checkInt8, quantise } from '../model/quantise.js';
import { json } from './answer.js';
import * as answers from './answers.js';
import { BODY_BYTES } from './body.js';
import { HttpError } from './problem.js';
import { type Route, route } from './route.js';

/** Samples of a request, and bytes of an answer: with very many classes, it has fewer. */
const SAMPLES = 1000;
const ANSWER_BYTES = 8 * 1024 * 1024;
/** Of a number in JSON, with what stands around it. */
const NUMBER_BYTES = 24;

const wanted = z
  .strictObject({
    encodings: z.array(encoding).min(1).max(SAMPLES).optional(),
    inputs: z.array(input).min(1).max(SAMPLES).optional(),
  })
  .refine(({ encodings, inputs }) => !encodings !== !inputs, 'expected encodings or inputs')
  .meta({ id: 'Encodings', oneOf: [{ required: ['encodings'] }, { required: ['inputs'] }] });

/** Labels and scores by the version in service. */
export const predictRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/predict',
    summary:
      'Predict encodings, or raw inputs where the model has an encoder, by the version in service',
    scopes: ['predict'],
    body: { limit: BODY_BYTES, json: wanted },
    answers: {
      200: {
        description: 'All by one version, which it names.',
        content: { 'application/json': answers.predicted },
      },
    },
    problems: {
      400: 'wrong_dimension, not_finite, negative_value, input_not_encodable',
      404: 'no_version',
      413: 'too_many_encodings',
      503: 'version_retired, encoder_unavailable',
    },
    handle: async ({ body: { encodings, inputs = [] } }, { model, encoder, predictor }) => {
      const count = (encodings ?? inputs).length;
      const most = limitOf(model);
      if (count > most) {
        const message = `expected at most ${most} at a time with this model`;
        throw new HttpError('too_many_encodings', 413, message);
      }
      const rows = encodings
        ? toRows(
            model,
            'encodings',
            encodings.map((one) => toInt8(model, one)),
          )
        : toRows(model, 'inputs', await encodeInputs({ model, encoder }, inputs));
      const { version, modelDigest, predictions } = await predictor.predict(rows, count);
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
  return Math.max(1, Math.min(SAMPLES, Math.floor(ANSWER_BYTES / names)));
}

/** Int8 [count, dimension]. The first error of a sample is a 400 that names its place. */
function toRows(
  { shape }: Model,
  name: string,
  encoded: readonly (Int8Array | LegonetError)[],
): Int8Array {
  const rows = new Int8Array(encoded.length * shape.dimension);
  encoded.forEach((one, index) => {
    if (one instanceof LegonetError)
      throw new HttpError(one.code, 400, `${name}.${index}: ${one.message}`);
    rows.set(one, index * shape.dimension);
  });
  return rows;
}

function toInt8({ quantiser }: Model, given: Encoding): Int8Array | LegonetError {
  return orError(() =>
    given.form === 'int8' ? checkInt8(quantiser, given.values) : quantise(quantiser, given.values),
  );
}

function report(classes: readonly string[], { label, scores, adapters }: Prediction) {
  return {
    label,
    scores: Object.fromEntries(classes.map((name, c) => [name, scores[c] ?? 0])),
    adapters,
  };
}
