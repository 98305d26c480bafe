import type { Hono } from 'hono';
import type { Deps } from './deps.js';
import { json, route } from './route.js';

/** For orchestrators and for Prometheus. */
export function addHealth(app: Hono, { access, readiness, metrics }: Deps): void {
  route(app, access, '/healthz', null, { GET: () => json({ alive: true }) });

  route(app, access, '/readyz', null, {
    GET: async () => {
      const state = await readiness();
      return json(state, {}, state.ready ? 200 : 503);
    },
  });

  route(app, access, '/metrics', access.openMetrics ? null : ['metrics:read'], {
    GET: async () =>
      new Response(await metrics.read(), { headers: { 'content-type': metrics.contentType } }),
  });
}
