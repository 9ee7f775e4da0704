PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`name` text NOT NULL,
	`status` text NOT NULL,
	`privacy` text NOT NULL,
	`custody` text NOT NULL,
	`dataset_id` text,
	`request` text NOT NULL,
	`plan` text,
	`error` text,
	`report` text,
	`created_at_ms` integer NOT NULL,
	`started_at_ms` integer,
	`completed_at_ms` integer,
	FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`dataset_id`) REFERENCES `datasets`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
INSERT INTO `__new_jobs`("id", "tenant_id", "name", "status", "privacy", "custody", "dataset_id", "request", "plan", "error", "report", "created_at_ms", "started_at_ms", "completed_at_ms") SELECT "id", "tenant_id", "name", "status", "privacy", "custody", "dataset_id", "request", "plan", "error", NULL, "created_at_ms", "started_at_ms", "completed_at_ms" FROM `jobs`;--> statement-breakpoint
DROP TABLE `jobs`;--> statement-breakpoint
ALTER TABLE `__new_jobs` RENAME TO `jobs`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE INDEX `jobs_tenant` ON `jobs` (`tenant_id`,`created_at_ms`);--> statement-breakpoint
CREATE INDEX `jobs_unfinished` ON `jobs` (`status`) WHERE "jobs"."status" not in ('completed', 'failed', 'canceled');--> statement-breakpoint
ALTER TABLE `batches` ADD `fidelity` text;--> statement-breakpoint
ALTER TABLE `results` ADD `check_cpu_ms` real DEFAULT 0 NOT NULL;