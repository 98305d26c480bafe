import { Hono } from 'hono';
import { routePath } from 'hono/route';
import { secureHeaders } from 'hono/secure-headers';
import { addAudit } from './audit.js';
import type { Deps } from './deps.js';
import { addEvents } from './events.js';
import { addHealth } from './health.js';
import { addModel } from './model.js';
import { HttpError, isOurFault, problem } from './problem.js';
import { addStream } from './stream.js';
import { addSubscribers } from './subscribers.js';
import { addVersions } from './versions.js';

/** Nothing here is a page: nobody may frame it, run it or guess at what it is. */
const headers = secureHeaders({
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  xFrameOptions: 'DENY',
  // For whoever ends TLS before us to say.
  strictTransportSecurity: false,
});

export function createApp(deps: Deps): Hono {
  const { logger, onAnswered = () => {} } = deps;
  const app = new Hono();
  app.use(headers);
  app.use(async (context, next) => {
    await next();
    const { res, req } = context;
    if (!res.headers.has('cache-control')) res.headers.set('cache-control', 'no-store');
    onAnswered({ route: routePath(context), method: req.method, status: res.status });
  });
  app.onError((error, context) => {
    if (isOurFault(error)) {
      logger.error(
        { event: 'request_failed', route: routePath(context), err: error },
        'a request failed',
      );
    }
    return problem(error);
  });
  app.notFound(() => problem(new HttpError('no_route', 404, 'nothing is at this path')));
  // The stream before the versions: else it would be the number of one.
  for (const add of [addHealth, addStream, addVersions, addModel]) add(app, deps);
  for (const add of [addEvents, addAudit, addSubscribers]) add(app, deps);
  return app;
}
