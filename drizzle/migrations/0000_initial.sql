CREATE TABLE `api_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`name` text NOT NULL,
	`hash` text NOT NULL,
	`hint` text NOT NULL,
	`scopes` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`revoked_at_ms` integer,
	`last_used_at_ms` integer,
	FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_keys_hash` ON `api_keys` (`hash`);--> statement-breakpoint
CREATE INDEX `api_keys_tenant` ON `api_keys` (`tenant_id`);--> statement-breakpoint
CREATE TABLE `artefacts` (
	`digest` text NOT NULL,
	`stage_id` text NOT NULL,
	`bytes` integer NOT NULL,
	PRIMARY KEY(`digest`, `stage_id`),
	FOREIGN KEY (`stage_id`) REFERENCES `stages`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `artefacts_stage` ON `artefacts` (`stage_id`);--> statement-breakpoint
CREATE TABLE `batches` (
	`stage_id` text NOT NULL,
	`batch` integer NOT NULL,
	`primes` integer NOT NULL,
	`units_per_prime` integer NOT NULL,
	`state` text NOT NULL,
	`object_name` text,
	`created_at_ms` integer NOT NULL,
	PRIMARY KEY(`stage_id`, `batch`),
	FOREIGN KEY (`stage_id`) REFERENCES `stages`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `datasets` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`file_id` text NOT NULL,
	`name` text NOT NULL,
	`format` text NOT NULL,
	`records` integer NOT NULL,
	`object_name` text NOT NULL,
	`description` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`file_id`) REFERENCES `files`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `datasets_tenant` ON `datasets` (`tenant_id`,`created_at_ms`);--> statement-breakpoint
CREATE TABLE `donors` (
	`id` text PRIMARY KEY NOT NULL,
	`display_name` text,
	`first_seen_at_ms` integer NOT NULL,
	`last_seen_at_ms` integer NOT NULL,
	`accepted` integer NOT NULL,
	`refused` integer NOT NULL,
	`units` integer NOT NULL,
	`compute_ms` real NOT NULL,
	`banned_at_ms` integer
);
--> statement-breakpoint
CREATE INDEX `donors_computed` ON `donors` (`compute_ms`);--> statement-breakpoint
CREATE TABLE `files` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`filename` text NOT NULL,
	`purpose` text NOT NULL,
	`bytes` integer NOT NULL,
	`sha256` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `files_tenant` ON `files` (`tenant_id`,`created_at_ms`);--> statement-breakpoint
CREATE INDEX `files_sha256` ON `files` (`sha256`);--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`tenant_id` text NOT NULL,
	`key` text NOT NULL,
	`request_hash` text NOT NULL,
	`status` integer,
	`response` text,
	`created_at_ms` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `key`),
	FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `job_events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`job_id` text NOT NULL,
	`type` text NOT NULL,
	`data` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `job_events_job` ON `job_events` (`job_id`,`id`);--> statement-breakpoint
CREATE TABLE `jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`name` text NOT NULL,
	`status` text NOT NULL,
	`privacy` text NOT NULL,
	`custody` text NOT NULL,
	`dataset_id` text NOT NULL,
	`request` text NOT NULL,
	`plan` text,
	`error` text,
	`created_at_ms` integer NOT NULL,
	`started_at_ms` integer,
	`completed_at_ms` integer,
	FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`dataset_id`) REFERENCES `datasets`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `jobs_tenant` ON `jobs` (`tenant_id`,`created_at_ms`);--> statement-breakpoint
CREATE INDEX `jobs_unfinished` ON `jobs` (`status`) WHERE "jobs"."status" not in ('completed', 'failed', 'canceled');--> statement-breakpoint
CREATE TABLE `leases` (
	`id` text PRIMARY KEY NOT NULL,
	`microtask_id` text NOT NULL,
	`donor_id` text NOT NULL,
	`fence` integer NOT NULL,
	`granted_at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`predicted_ms` real NOT NULL,
	FOREIGN KEY (`microtask_id`) REFERENCES `microtasks`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `leases_microtask` ON `leases` (`microtask_id`);--> statement-breakpoint
CREATE TABLE `microtasks` (
	`id` text PRIMARY KEY NOT NULL,
	`stage_id` text NOT NULL,
	`batch` integer NOT NULL,
	`prime` integer NOT NULL,
	`unit_start` integer NOT NULL,
	`unit_count` integer NOT NULL,
	`state` text NOT NULL,
	`fence` integer NOT NULL,
	`failures` integer NOT NULL,
	FOREIGN KEY (`stage_id`) REFERENCES `stages`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "microtasks_state" CHECK("microtasks"."state" in ('pending', 'accepted', 'quarantined'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `microtasks_range` ON `microtasks` (`stage_id`,`batch`,`prime`,`unit_start`);--> statement-breakpoint
CREATE TABLE `models` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`file_id` text NOT NULL,
	`name` text NOT NULL,
	`format` text NOT NULL,
	`sha256` text NOT NULL,
	`details` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`file_id`) REFERENCES `files`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `models_tenant` ON `models` (`tenant_id`,`created_at_ms`);--> statement-breakpoint
CREATE TABLE `observations` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`donor_id` text NOT NULL,
	`stage_id` text NOT NULL,
	`kernel` text NOT NULL,
	`runtime` text NOT NULL,
	`units` integer NOT NULL,
	`bytes_in` integer NOT NULL,
	`bytes_out` integer NOT NULL,
	`queue_ms` real NOT NULL,
	`download_ms` real NOT NULL,
	`compute_ms` real NOT NULL,
	`upload_ms` real NOT NULL,
	`predicted_ms` real NOT NULL,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `observations_age` ON `observations` (`created_at_ms`);--> statement-breakpoint
CREATE TABLE `refusals` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`microtask_id` text NOT NULL,
	`stage_id` text NOT NULL,
	`donor_id` text NOT NULL,
	`code` text NOT NULL,
	`detail` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`microtask_id`) REFERENCES `microtasks`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `refusals_microtask` ON `refusals` (`microtask_id`);--> statement-breakpoint
CREATE INDEX `refusals_stage` ON `refusals` (`stage_id`);--> statement-breakpoint
CREATE TABLE `results` (
	`microtask_id` text PRIMARY KEY NOT NULL,
	`bytes` integer NOT NULL,
	`inline` blob,
	`object_name` text,
	`donor_id` text NOT NULL,
	`runtime` text NOT NULL,
	`compute_ms` real NOT NULL,
	`checked_units` integer NOT NULL,
	`accepted_at_ms` integer NOT NULL,
	FOREIGN KEY (`microtask_id`) REFERENCES `microtasks`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `settings` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `stages` (
	`id` text PRIMARY KEY NOT NULL,
	`job_id` text NOT NULL,
	`member` integer NOT NULL,
	`kernel` text NOT NULL,
	`spec_digest` text NOT NULL,
	`state` text NOT NULL,
	`unit_bytes_in` integer NOT NULL,
	`unit_bytes_out` integer NOT NULL,
	`definition` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `stages_job` ON `stages` (`job_id`);--> statement-breakpoint
CREATE INDEX `stages_open` ON `stages` (`state`) WHERE "stages"."state" = 'open';--> statement-breakpoint
CREATE TABLE `tenants` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`created_at_ms` integer NOT NULL
);
