PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_refusals` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`microtask_id` text NOT NULL,
	`stage_id` text NOT NULL,
	`donor_id` text NOT NULL,
	`code` text NOT NULL,
	`detail` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`stage_id`) REFERENCES `stages`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
INSERT INTO `__new_refusals`("id", "microtask_id", "stage_id", "donor_id", "code", "detail", "created_at_ms") SELECT "id", "microtask_id", "stage_id", "donor_id", "code", "detail", "created_at_ms" FROM `refusals`;--> statement-breakpoint
DROP TABLE `refusals`;--> statement-breakpoint
ALTER TABLE `__new_refusals` RENAME TO `refusals`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE INDEX `refusals_microtask` ON `refusals` (`microtask_id`);--> statement-breakpoint
CREATE INDEX `refusals_stage` ON `refusals` (`stage_id`);