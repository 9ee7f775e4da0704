ALTER TABLE `observations` ADD `device_class` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `observations` ADD `rest_ms` real DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `observations` ADD `overhead_ms` real DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `observations` ADD `low_ms` real DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `observations` ADD `high_ms` real DEFAULT 0 NOT NULL;