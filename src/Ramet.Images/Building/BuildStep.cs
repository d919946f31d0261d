namespace Ramet.Images;

/// <summary>What a build is doing.</summary>
public enum BuildStage
{
    /// <summary>Another process builds the same image, or uses the package cache.</summary>
    Waiting,

    /// <summary>Package lists are fetched and dependencies resolved.</summary>
    Resolving,

    /// <summary>Packages are downloaded.</summary>
    Downloading,

    /// <summary>Packages are unpacked and set up.</summary>
    Unpacking,

    /// <summary>A finisher runs.</summary>
    Finishing,

    /// <summary>The image is written to disk.</summary>
    Writing,
}

/// <summary>Progress of a build.</summary>
/// <param name="Stage">The stage; stages come in their order, though some may be left out.</param>
/// <param name="Text">One line for a person, such as "Downloading 71 packages (36 MB)".</param>
/// <param name="Fraction">How much of the stage is done, from 0 to 1; null when that is not known.</param>
public readonly record struct BuildStep(BuildStage Stage, string Text, double? Fraction = null);

/// <summary>
/// Completes an image before it is sealed, for example by running a command of the image in a sandbox and keeping the
/// files that it wrote (Python byte code).
/// </summary>
public interface IImageFinisher
{
    /// <summary>Name and version: a change of it makes images that it applies to be built again.</summary>
    string Id { get; }

    /// <summary>Whether it has something to do for this specification.</summary>
    bool AppliesTo(ImageSpec spec);

    /// <summary>Adds to the image.</summary>
    /// <param name="draft">The image as it is so far, sealed in a temporary directory: it can be run. Disposed and deleted by the caller.</param>
    /// <param name="tree">The tree to add to.</param>
    /// <param name="cancellationToken">Ends the build.</param>
    Task FinishAsync(Image draft, ImageTree tree, CancellationToken cancellationToken);
}
