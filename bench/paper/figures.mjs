// What tables and plots show, out of the lists in results.json.

const sameSetting = (a) => (b) => a.adapters === b.adapters && a.activated === b.activated;

/** LegoNet with least-squares adapters: a row for each n and k, accuracies beside seconds. */
export function legonetOf({ legonet, deletions }, experiment) {
  return legonet
    .filter((row) => row.experiment === experiment)
    .map((row) => {
      const { members: rebuilt, sums } = deletions.find(sameSetting(row));
      return { ...row, rebuilt, sums };
    })
    .sort((a, b) => a.adapters - b.adapters || a.activated - b.activated);
}

/** FixSISA: a list of rows by s for each kind of head. */
export function headsOf({ shards, shard }, experiment) {
  const rows = shards
    .filter((row) => row.experiment === experiment)
    .map((row) => ({ ...row, seconds: shard.find((s) => s.shards === row.shards).members }));
  return [{ name: 'least squares', rows }];
}
