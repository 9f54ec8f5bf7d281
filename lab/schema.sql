-- The database of the stand-in Mesher: ten tables and the migration's record.
CREATE EXTENSION IF NOT EXISTS pgcrypto;

CREATE TABLE organizations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, slug text NOT NULL UNIQUE);
CREATE TABLE users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL UNIQUE,
  password text NOT NULL DEFAULT crypt('secret', gen_salt('md5')));
CREATE TABLE org_memberships (
  org_id uuid NOT NULL REFERENCES organizations, user_id uuid NOT NULL REFERENCES users, role text NOT NULL);
CREATE TABLE sessions (token text PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, expires timestamptz NOT NULL);
CREATE TABLE projects (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), org_id uuid NOT NULL REFERENCES organizations,
  name text NOT NULL UNIQUE, platform text NOT NULL, rate bigint NOT NULL DEFAULT 100);
CREATE TABLE api_keys (key text PRIMARY KEY, project_id uuid NOT NULL REFERENCES projects);
CREATE TABLE issues (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), project_id uuid NOT NULL REFERENCES projects, title text NOT NULL);
CREATE TABLE events (
  id uuid NOT NULL DEFAULT gen_random_uuid(), project text NOT NULL, level text NOT NULL, message text NOT NULL,
  received date NOT NULL DEFAULT current_date) PARTITION BY RANGE (received);
CREATE TABLE alert_rules (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), project_id uuid NOT NULL REFERENCES projects, threshold bigint NOT NULL);
CREATE TABLE alerts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), rule_id uuid NOT NULL REFERENCES alert_rules, raised timestamptz NOT NULL);
CREATE TABLE _mesh_migrations (version bigint PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());

INSERT INTO _mesh_migrations (version) VALUES (20260216120000);
INSERT INTO organizations (name, slug) VALUES ('Acme Rockets', 'acme'), ('Globex', 'globex');
INSERT INTO users (email) VALUES ('ada@example.org'), ('grace@example.org');
INSERT INTO projects (org_id, name, platform) SELECT id, 'website', 'node' FROM organizations WHERE slug = 'acme';
