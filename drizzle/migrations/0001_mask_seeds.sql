CREATE TABLE `mask_seeds` (
	`seed` text PRIMARY KEY NOT NULL,
	`object_name` text NOT NULL,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `batches` ADD `mask_seed` text REFERENCES mask_seeds(seed);--> statement-breakpoint
ALTER TABLE `batches` ADD `key_generation` integer DEFAULT 0 NOT NULL;