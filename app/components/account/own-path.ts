/** Where a page goes on to after signing in: a path of this server, whatever the address bar says. */
export function ownPath(next: string | undefined): string {
  return next && /^\/(?![/\\])/.test(next) ? next : "/dashboard";
}
