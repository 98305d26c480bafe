// A softmax head by L-BFGS (Nocedal, Wright, Numerical Optimization, algorithm 7.4) in plain JavaScript.

/**
 * Minimises mean cross-entropy + ridge/2 |W|² over W [dimension + 1, classes], rows float32
 * [count, dimension]. Stops when the gradient's greatest element is below `tolerance`.
 */
export function fitSoftmax(x, labels, dimension, classes, { ridge, tolerance, steps = 200 }) {
  const weights = new Float64Array((dimension + 1) * classes);
  const memory = [];
  let { loss, gradient } = evaluate(x, labels, dimension, classes, weights, ridge);
  let step = 0;
  for (; step < steps && Math.max(...gradient.map(Math.abs)) > tolerance; step++) {
    const direction = descent(memory, gradient);
    const slope = dot(direction, gradient);
    let t = step === 0 ? 1 / Math.sqrt(dot(gradient, gradient)) : 1;
    let next;
    let moved;
    // Backtracking to sufficient decrease.
    for (; ; t /= 2) {
      moved = weights.map((w, i) => w + t * direction[i]);
      next = evaluate(x, labels, dimension, classes, moved, ridge);
      if (next.loss <= loss + 1e-4 * t * slope || t < 1e-10) break;
    }
    const s = moved.map((w, i) => w - weights[i]);
    const y = next.gradient.map((g, i) => g - gradient[i]);
    const sy = dot(s, y);
    if (sy > 1e-12) memory.push({ s, y, rho: 1 / sy });
    if (memory.length > 10) memory.shift();
    weights.set(moved);
    ({ loss, gradient } = next);
  }
  return { weights, loss, steps: step };
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

function descent(memory, gradient) {
  const q = gradient.map((g) => -g);
  const alphas = [];
  for (const { s, y, rho } of [...memory].reverse()) {
    const alpha = rho * dot(s, q);
    alphas.push(alpha);
    for (let i = 0; i < q.length; i++) q[i] -= alpha * y[i];
  }
  const last = memory.at(-1);
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y));
    for (let i = 0; i < q.length; i++) q[i] *= scale;
  }
  for (const { s, y, rho } of memory) {
    const beta = rho * dot(y, q);
    const alpha = alphas.pop();
    for (let i = 0; i < q.length; i++) q[i] += (alpha - beta) * s[i];
  }
  return q;
}

function evaluate(x, labels, dimension, classes, weights, ridge) {
  const count = labels.length;
  const gradient = weights.map((w) => ridge * w);
  let loss = (ridge / 2) * dot(weights, weights);
  const scores = new Float64Array(classes);
  for (let r = 0; r < count; r++) {
    scores.set(weights.subarray(dimension * classes));
    for (let i = 0; i < dimension; i++) {
      const value = x[r * dimension + i];
      if (value === 0) continue;
      for (let c = 0; c < classes; c++) scores[c] += value * weights[i * classes + c];
    }
    const top = Math.max(...scores);
    let total = 0;
    for (let c = 0; c < classes; c++) total += scores[c] = Math.exp(scores[c] - top);
    loss -= Math.log(scores[labels[r]] / total) / count;
    for (let c = 0; c < classes; c++) {
      scores[c] = (scores[c] / total - (c === labels[r] ? 1 : 0)) / count;
      gradient[dimension * classes + c] += scores[c];
    }
    for (let i = 0; i < dimension; i++) {
      const value = x[r * dimension + i];
      if (value === 0) continue;
      for (let c = 0; c < classes; c++) gradient[i * classes + c] += value * scores[c];
    }
  }
  return { loss, gradient };
}

/** Share of rows, in percent, whose greatest score is their label's. */
export function softmaxAccuracy(x, labels, dimension, classes, weights) {
  let right = 0;
  for (let r = 0; r < labels.length; r++) {
    let best = 0;
    let top = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) {
      let score = weights[dimension * classes + c];
      for (let i = 0; i < dimension; i++) score += x[r * dimension + i] * weights[i * classes + c];
      if (score > top) [top, best] = [score, c];
    }
    if (best === labels[r]) right++;
  }
  return (100 * right) / labels.length;
}
