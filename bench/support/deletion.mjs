/** Whether a version without the request's samples is published. */
export async function isPublished(pool, requestId) {
  const { rowCount } = await pool.query(
    `SELECT FROM deletions JOIN versions USING (version)
     WHERE request_id = $1 AND published_at IS NOT NULL`,
    [requestId],
  );
  return rowCount > 0;
}
