import { z } from 'zod';
import { json, text } from './answer.js';
import * as answers from './answers.js';
import { type Route, route } from './route.js';

const JSON_TYPE = 'application/json';

/** For orchestrators and for Prometheus. */
export const healthRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/healthz',
    summary: 'Whether the process answers',
    scopes: null,
    answers: { 200: { description: 'It does.', content: { [JSON_TYPE]: answers.alive } } },
    handle: () => json({ alive: true }),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    summary: 'Whether traffic should come here: progress is being made',
    scopes: null,
    answers: {
      200: { description: 'It should.', content: { [JSON_TYPE]: answers.readiness } },
      503: { description: 'It should not.', content: { [JSON_TYPE]: answers.readiness } },
    },
    handle: async (_, { readiness }) => {
      const state = await readiness();
      return json(state, {}, state.ready ? 200 : 503);
    },
  }),
  route({
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics for Prometheus; open on loopback',
    scopes: ['audit'],
    open: ({ access }) => access.openMetrics,
    answers: {
      200: { description: 'In its text format.', content: { 'text/plain': z.string() } },
    },
    handle: async (_, { metrics }) => text(metrics.contentType, await metrics.read()),
  }),
];
