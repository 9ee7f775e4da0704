/** What work costs, however many others share the machine: limits on it hold under load, limits on the clock do not. */

/** Milliseconds of CPU that this process has used, user and system. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
