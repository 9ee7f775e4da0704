CREATE TABLE `groups` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`name` text NOT NULL,
	`join_token` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `groups_tenant` ON `groups` (`tenant_id`,`created_at_ms`);--> statement-breakpoint
CREATE UNIQUE INDEX `groups_join_token` ON `groups` (`join_token`);--> statement-breakpoint
CREATE TABLE `sites` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`name` text NOT NULL,
	`origins` text NOT NULL,
	`key` text NOT NULL,
	`previous_key` text,
	`previous_until_ms` integer,
	`created_at_ms` integer NOT NULL,
	`revoked_at_ms` integer,
	FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `sites_tenant` ON `sites` (`tenant_id`,`created_at_ms`);--> statement-breakpoint
CREATE UNIQUE INDEX `sites_key` ON `sites` (`key`);--> statement-breakpoint
CREATE INDEX `sites_previous_key` ON `sites` (`previous_key`);--> statement-breakpoint
CREATE TABLE `teams` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`join_token` text NOT NULL,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `teams_join_token` ON `teams` (`join_token`);--> statement-breakpoint
CREATE TABLE `volunteer_weeks` (
	`volunteer_id` text NOT NULL,
	`week` text NOT NULL,
	`accepted` integer NOT NULL,
	`units` integer NOT NULL,
	`compute_ms` real NOT NULL,
	PRIMARY KEY(`volunteer_id`, `week`)
);
--> statement-breakpoint
CREATE INDEX `volunteer_weeks_week` ON `volunteer_weeks` (`week`,`accepted`);--> statement-breakpoint
CREATE TABLE `volunteers` (
	`id` text PRIMARY KEY NOT NULL,
	`public_key` text NOT NULL,
	`display_name` text,
	`team_id` text,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`team_id`) REFERENCES `teams`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
ALTER TABLE `donors` ADD `site_id` text;--> statement-breakpoint
ALTER TABLE `donors` ADD `group_id` text;--> statement-breakpoint
ALTER TABLE `donors` ADD `volunteer_id` text;--> statement-breakpoint
ALTER TABLE `donors` ADD `country` text;--> statement-breakpoint
CREATE INDEX `donors_site` ON `donors` (`site_id`) WHERE "donors"."site_id" is not null;--> statement-breakpoint
CREATE INDEX `donors_group` ON `donors` (`group_id`) WHERE "donors"."group_id" is not null;