CREATE TABLE `plan_outcomes` (
	`job_id` text PRIMARY KEY NOT NULL,
	`models_digest` text NOT NULL,
	`records` integer NOT NULL,
	`ring_degree` integer NOT NULL,
	`modulus_bits` real NOT NULL,
	`records_per_batch` integer NOT NULL,
	`planned` text NOT NULL,
	`measured` text NOT NULL,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `plan_outcomes_models` ON `plan_outcomes` (`models_digest`,`created_at_ms`);