import { auditRoutes } from './audit.js';
import { certificateRoutes } from './certificates.js';
import { docsRoutes } from './docs.js';
import { eventRoutes } from './events.js';
import { healthRoutes } from './health.js';
import { listingRoutes } from './listing.js';
import { logRoutes } from './log.js';
import { modelRoutes } from './model.js';
import { predictRoutes } from './predict.js';
import type { Route } from './route.js';
import { streamRoutes } from './stream.js';
import { subscriberRoutes } from './subscribers.js';
import { versionRoutes } from './versions.js';

/** Everything that is served, in the order in which it is described. */
export const ROUTES: readonly Route[] = [
  ...eventRoutes,
  ...predictRoutes,
  ...versionRoutes,
  ...streamRoutes,
  ...modelRoutes,
  ...subscriberRoutes,
  ...auditRoutes,
  ...certificateRoutes,
  ...listingRoutes,
  ...logRoutes,
  ...healthRoutes,
  ...docsRoutes,
];
